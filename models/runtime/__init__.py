"""At run time: device, threads, traced functions, packed weights, a quiet terminal."""
