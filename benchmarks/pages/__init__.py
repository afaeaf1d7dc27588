"""What `service.py` measures: a project of many experiments, its pages, and a browser."""
