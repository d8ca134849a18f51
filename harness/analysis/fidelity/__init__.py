"""How well students do their teacher's job, as tables and conditions."""
