"""Files from elsewhere: read row by row, so that a bad row is named by line and column and every good row is kept."""
