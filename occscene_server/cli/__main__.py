"""`python -m occscene_server.cli` is `occscene-server`."""

from occscene_server.cli.root import main

if __name__ == "__main__":
    main()
