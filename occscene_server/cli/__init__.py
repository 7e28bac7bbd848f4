"""The command line: `root` names all commands; those of studio, training and evaluation stand in their own rooms."""
