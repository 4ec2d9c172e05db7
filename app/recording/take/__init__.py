"""Takes: a performance as a folder of files that a DAW opens.

`score` gathers what was heard of the score, `grid` finds tempo and bars, `midi_file` and
`project_file` write them.
"""
