"""What every agent stands on. File names are those of the seed document."""
