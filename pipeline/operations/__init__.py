"""What is done beside the runs: backfills, rebuilds, takedowns, comparisons, maintenance, alerts."""
