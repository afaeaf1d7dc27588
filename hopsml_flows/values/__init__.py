"""Values that callers pass: judged, made plain, and written as JSON. Pure."""
