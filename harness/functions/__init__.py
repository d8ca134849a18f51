"""Plain functions: found by file, their inputs drawn, tried before they are raced."""
