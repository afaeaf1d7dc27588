"""The verbs: one Prefect flow per kind of experiment. Each is imported when it is used."""
