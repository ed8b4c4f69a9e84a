"""What every generation of Function Compute's API asks for, done once; a call's dialect reads and shows it."""
