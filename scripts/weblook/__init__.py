"""Looking at the page of a deployed appliance with Debian's Chromium: for tests, pictures, soaks and benchmarks."""
