"""Released weights of Magenta RealTime 2: fetched, checked, loaded."""
