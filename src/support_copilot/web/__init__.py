"""What every HTTP application of the house shares."""
