#!/bin/sh
# In the broker's container: reads lines `user:password`, and gives each user that password. Others stay as they are; who is
# connected with another password is disconnected.
set -eu
umask 077
cd /mosquitto/data
exec 9> .passwords.lock && flock 9
cat > accounts.new
mosquitto_passwd -U accounts.new
awk -F: 'NR == FNR { given[$1] = 1; print; next } !($1 in given)' accounts.new passwords > accounts.all
mv accounts.all passwords
rm accounts.new
kill -HUP 1
