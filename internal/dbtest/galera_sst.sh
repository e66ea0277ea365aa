#!/bin/sh
# Brings the data folder of one node of a Galera cluster to another on this machine.
# mariadbd calls it on both. What it prints and when is the protocol of its SST scripts.
set -eu
bypass=
parent=$PPID
while [ $# -gt 0 ]; do
	case $1 in
	--role) role=$2 && shift ;;
	--address) address=$2 && shift ;;
	--datadir) data=${2%/} && shift ;;
	--gtid) gtid=$2 && shift ;;
	--parent) parent=$2 && shift ;;
	--bypass) bypass=1 ;;
	--mysqld-args) break ;;
	esac
	shift
done

# waited waits a moment, until the server is gone or a minute is over.
turns=1200
waited() {
	turns=$((turns - 1))
	[ $turns -gt 0 ] && kill -0 "$parent" 2>/dev/null && sleep 0.05
}

# Open in the library, and of the node itself.
own='( -name galera.cache -o -name grastate.dat -o -name gvwstate.dat -o -name tables_flushed )'

if [ "$role" = joiner ]; then
	box=$(dirname "$data")/sst
	rm -rf "$box"
	mkdir "$box"
	echo "ready $box"
	while [ ! -e "$box/state" ]; do
		waited || exit 1
	done
	if [ -d "$box/data" ]; then
		find "$data" -mindepth 1 -maxdepth 1 ! $own -exec rm -rf {} +
		find "$box/data" -mindepth 1 -maxdepth 1 -exec mv {} "$data" \;
	fi
	cat "$box/state"
	rm -rf "$box"
	exit
fi

box=${address#*:/}
[ "$box" = "$address" ] || box=/$box
box=${box%/}
if [ -z "$bypass" ]; then
	rm -f "$data/tables_flushed"
	echo "flush tables"
	while ! grep -qs : "$data/tables_flushed"; do
		waited || exit 1
	done
	gtid=$(cat "$data/tables_flushed")
	rm -f "$data/tables_flushed"
	mkdir "$box/data"
	find "$data" -mindepth 1 -maxdepth 1 ! $own -exec cp -a {} "$box/data" \;
fi
echo "continue"
echo "$gtid" >"$box/state.new"
mv "$box/state.new" "$box/state"
echo "done $gtid"
