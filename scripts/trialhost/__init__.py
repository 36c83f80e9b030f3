"""Trial hosts: bare Debian 12 machines in systemd-nspawn, on their own bridge, made for one clone of the project."""
