"""Entry point of the program and of the bundle."""

import sys

if __name__ == "__main__":
    if getattr(sys, "frozen", False):
        # In a bundle the audio process is this program; this call runs it as that process.
        import multiprocessing

        multiprocessing.freeze_support()

    # Imported here, so that a process which only imports this module stays small.
    from app.cli import main

    sys.exit(main())
