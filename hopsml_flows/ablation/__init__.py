"""Ablation studies: what each part contributes, and how sure that is."""
