"""Where the program and the installed bundle start. Main thread."""

import sys

if __name__ == "__main__":
    if getattr(sys, "frozen", False):
        # In the bundle the audio process starts this very program; this turns it into that process.
        import multiprocessing

        multiprocessing.freeze_support()

    # Imported here, so that a process which only borrows this module stays small.
    from app.cli import main

    sys.exit(main())
