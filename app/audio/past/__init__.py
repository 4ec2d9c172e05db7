"""The past of the plan: how its blocks were rendered, and rendering them once more."""
