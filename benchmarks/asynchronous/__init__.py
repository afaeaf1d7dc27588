"""What ``asynchrony.py`` runs: a training that sleeps, this project's searches, and peers."""
