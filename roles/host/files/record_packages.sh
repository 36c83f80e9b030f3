#!/bin/sh
# What is installed now and was not before: the packages that came with this product, with what they depend on.
set -eu
cd /var/lib/recio/deploy
dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p' | LC_ALL=C sort -u >packages.now
LC_ALL=C sort -u packages.before | LC_ALL=C comm -13 - packages.now >packages.new
sync packages.new
mv packages.new packages
rm packages.now
