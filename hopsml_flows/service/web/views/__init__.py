"""What pages show, made from experiments and trials. Pure: no I/O, no request, no clock."""
