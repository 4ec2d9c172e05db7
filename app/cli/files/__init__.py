"""Files that commands read and write: sound, pictures, takes, and what parts are to play."""
