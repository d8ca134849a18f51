"""What is asked: the suite file, its schema, and the cells that it spells out."""
