"""MusicCoCa: the joint text-audio embedding of Magenta RealTime 2."""
