"""What the pipeline makes in, what the API and the evaluation read out: latest maps in memory, results in
SQL.
"""
