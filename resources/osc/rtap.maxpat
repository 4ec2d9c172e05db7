{
 "patcher": {
  "fileversion": 1,
  "appversion": {
   "major": 8,
   "minor": 5,
   "revision": 0,
   "architecture": "x64",
   "modernui": 1
  },
  "classnamespace": "box",
  "rect": [
   80.0,
   100.0,
   980.0,
   560.0
  ],
  "bglocked": 0,
  "openinpresentation": 0,
  "default_fontsize": 12.0,
  "default_fontface": 0,
  "default_fontname": "Arial",
  "gridonopen": 1,
  "gridsize": [
   15.0,
   15.0
  ],
  "gridsnaponopen": 1,
  "boxes": [
   {
    "box": {
     "id": "title",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      14.0,
      720.0,
      22.0
     ],
     "text": "Accompaniment by Segue: start main.py rtap, set Max to 44100 Hz, turn audio on, press begin. rtap.js lies beside this patch."
    }
   },
   {
    "box": {
     "id": "begin",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      60.0,
      50.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "begin"
    }
   },
   {
    "box": {
     "id": "stop",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      80.0,
      60.0,
      50.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "stop"
    }
   },
   {
    "box": {
     "id": "t",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      20.0,
      92.0,
      100.0,
      22.0
     ],
     "outlettype": [
      "int",
      "int",
      ""
     ],
     "text": "t 1 1 begin"
    }
   },
   {
    "box": {
     "id": "tstop",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      140.0,
      92.0,
      70.0,
      22.0
     ],
     "outlettype": [
      "int",
      ""
     ],
     "text": "t 0 stop"
    }
   },
   {
    "box": {
     "id": "adc",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      150.0,
      60.0,
      22.0
     ],
     "outlettype": [
      "signal"
     ],
     "text": "adc~ 1"
    }
   },
   {
    "box": {
     "id": "count",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      240.0,
      150.0,
      150.0,
      22.0
     ],
     "outlettype": [
      "signal"
     ],
     "text": "count~ 0 4233600 0 1"
    }
   },
   {
    "box": {
     "id": "all",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      440.0,
      150.0,
      60.0,
      22.0
     ],
     "outlettype": [
      "signal"
     ],
     "text": "count~"
    }
   },
   {
    "box": {
     "id": "snap",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      440.0,
      184.0,
      80.0,
      22.0
     ],
     "outlettype": [
      "float"
     ],
     "text": "snapshot~ 5"
    }
   },
   {
    "box": {
     "id": "blk",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      440.0,
      216.0,
      100.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend block"
    }
   },
   {
    "box": {
     "id": "poke",
     "maxclass": "newobj",
     "numinlets": 3,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      200.0,
      130.0,
      22.0
     ],
     "text": "poke~ rtap-input 1"
    }
   },
   {
    "box": {
     "id": "index",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      240.0,
      200.0,
      140.0,
      22.0
     ],
     "outlettype": [
      "signal"
     ],
     "text": "index~ rtap-answer 1"
    }
   },
   {
    "box": {
     "id": "dac",
     "maxclass": "ezdac~",
     "numinlets": 2,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      260.0,
      45.0,
      45.0
     ]
    }
   },
   {
    "box": {
     "id": "bin",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      20.0,
      330.0,
      230.0,
      22.0
     ],
     "outlettype": [
      "float",
      "bang"
     ],
     "text": "buffer~ rtap-input @samps 4233600"
    }
   },
   {
    "box": {
     "id": "ban",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      270.0,
      330.0,
      240.0,
      22.0
     ],
     "outlettype": [
      "float",
      "bang"
     ],
     "text": "buffer~ rtap-answer @samps 4233600"
    }
   },
   {
    "box": {
     "id": "nw",
     "maxclass": "number",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      560.0,
      270.0,
      60.0,
      22.0
     ],
     "outlettype": [
      "",
      "bang"
     ],
     "parameter_enable": 0
    }
   },
   {
    "box": {
     "id": "pw",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      630.0,
      270.0,
      90.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend w"
    }
   },
   {
    "box": {
     "id": "cw",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      730.0,
      270.0,
      220.0,
      22.0
     ],
     "text": "look-ahead: -1, 0 or 1"
    }
   },
   {
    "box": {
     "id": "nstem",
     "maxclass": "number",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      560.0,
      330.0,
      60.0,
      22.0
     ],
     "outlettype": [
      "",
      "bang"
     ],
     "parameter_enable": 0
    }
   },
   {
    "box": {
     "id": "pstem",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      630.0,
      330.0,
      90.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend stem"
    }
   },
   {
    "box": {
     "id": "cstem",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      730.0,
      330.0,
      220.0,
      22.0
     ],
     "text": "0 bass, 1 drums, 2 guitar, 3 piano"
    }
   },
   {
    "box": {
     "id": "js",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      440.0,
      250.0,
      80.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "js rtap.js"
    }
   },
   {
    "box": {
     "id": "out",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      440.0,
      450.0,
      160.0,
      22.0
     ],
     "text": "udpsend 127.0.0.1 7000"
    }
   },
   {
    "box": {
     "id": "in",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      640.0,
      60.0,
      120.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "udpreceive 8000"
    }
   },
   {
    "box": {
     "id": "say",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      440.0,
      410.0,
      260.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "no answers so far"
    }
   }
  ],
  "lines": [
   {
    "patchline": {
     "source": [
      "nw",
      0
     ],
     "destination": [
      "pw",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "pw",
      0
     ],
     "destination": [
      "js",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "nstem",
      0
     ],
     "destination": [
      "pstem",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "pstem",
      0
     ],
     "destination": [
      "js",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "begin",
      0
     ],
     "destination": [
      "t",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "t",
      2
     ],
     "destination": [
      "js",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "t",
      1
     ],
     "destination": [
      "count",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "t",
      0
     ],
     "destination": [
      "all",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "stop",
      0
     ],
     "destination": [
      "tstop",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "tstop",
      1
     ],
     "destination": [
      "js",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "tstop",
      0
     ],
     "destination": [
      "count",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "tstop",
      0
     ],
     "destination": [
      "all",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "adc",
      0
     ],
     "destination": [
      "poke",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "count",
      0
     ],
     "destination": [
      "poke",
      1
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "count",
      0
     ],
     "destination": [
      "index",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "adc",
      0
     ],
     "destination": [
      "dac",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "index",
      0
     ],
     "destination": [
      "dac",
      1
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "all",
      0
     ],
     "destination": [
      "snap",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "snap",
      0
     ],
     "destination": [
      "blk",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "blk",
      0
     ],
     "destination": [
      "js",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "js",
      0
     ],
     "destination": [
      "out",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "js",
      1
     ],
     "destination": [
      "say",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "in",
      0
     ],
     "destination": [
      "js",
      0
     ]
    }
   }
  ]
 }
}
