"""The one exception that a user is meant to read. Runs in every lane; imports nothing."""


class SegueError(ValueError):
    """Something the user can put right, said in one clear sentence that tells what to do.

    The command line prints the sentence and exits with code 2; the window shows it in its
    message line. Anything else that is raised is a fault of the program.
    """
