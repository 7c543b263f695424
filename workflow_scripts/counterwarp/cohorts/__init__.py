"""Where scans come from: every source gives the same validated table of scans."""
