#!/bin/sh
# Installs a client for these tests, once, into the user's cache, and prints where.
#
#   ./install.sh python newest|2.0.2|confluent   a virtual environment with kafka-python, or confluent-kafka
#   ./install.sh java                            the client's jars and, compiled, Client.java
#   ./install.sh node kafkajs|confluent          KafkaJS with its codecs, or @confluentinc/kafka-javascript, built
#   ./install.sh go sarama|confluent             the program, built
#
# LEAT_CLIENTS says where to, else it is leat/clients in the user's cache.
set -eu
cd "$(dirname "$0")"
cache=${LEAT_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/leat/clients}

# Tests that run beside each other ask for the same: one of them installs it.
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

# build_confluent compiles the librdkafka that the package has the source of, and what
# joins it to Node. The package's own script would first ask for a build that others
# have made, from a place that is not its registry. A test needs no fast code.
build_confluent() {
	nodedir=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
	gyp=$PWD/node_modules/.bin/node-gyp
	set -- rebuild
	if [ -f "$nodedir/include/node/node.h" ]; then
		set -- "$@" "--nodedir=$nodedir" # else node-gyp gets the headers
	fi
	cd node_modules/@confluentinc/kafka-javascript
	# One job: its makefile lacks an order. What it starts for librdkafka has many.
	CKJS_LINKING=dynamic CFLAGS=-O0 CXXFLAGS=-O0 MAKEFLAGS= "$gyp" "$@"
	grep -q '^#define WITH_ZSTD 1' deps/librdkafka/config.h || { echo "librdkafka has no zstd: install libzstd-dev"; return 1; }
	grep -q '^#define WITH_ZLIB 1' deps/librdkafka/config.h || { echo "librdkafka has no gzip: install zlib1g-dev"; return 1; }
	rm -rf build/Release/obj* deps/librdkafka/src/*.o deps/librdkafka/src/*.a
}

# A copy of what was asked for is written last: it says that all of it is there.
case ${1:-} in
python)
	requirements=python/requirements-$2.txt
	venv=$cache/kafka-python-$2
	if ! cmp -s "$requirements" "$venv/installed.txt"; then
		python=python3
		if [ "$2" = 2.0.2 ]; then
			for python in python3.11 python3.10 python3.9 python3; do
				"$python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))' 2>/dev/null && break
			done
			"$python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))' ||
				{ echo "kafka-python 2.0.2 needs a Python of at most 3.11" >&2; exit 1; }
		fi
		mkdir -p "$venv"
		"$python" -m venv --clear "$venv" >&2
		"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
		cp "$requirements" "$venv/installed.txt"
	fi
	echo "$venv"
	;;
java)
	jars=$cache/java
	if ! cat java/pom.xml java/Client.java | cmp -s - "$jars/installed"; then
		rm -rf "$jars"
		mkdir -p "$jars"
		mvn -q -B -f java/pom.xml dependency:copy-dependencies -DoutputDirectory="$jars" >&2
		javac -cp "$jars/*" -d "$jars" java/Client.java >&2
		cat java/pom.xml java/Client.java >"$jars/installed"
	fi
	echo "$jars"
	;;
node)
	modules=$cache/node-$2
	if ! cat "node/$2"/* | cmp -s - "$modules/installed"; then
		rm -rf "$modules"
		mkdir -p "$modules"
		cp "node/$2"/* "$modules"
		(cd "$modules" && npm ci --silent --no-audit --no-fund --ignore-scripts) >&2
		[ "$2" != confluent ] || (cd "$modules" && build_confluent) >"$modules/build.log" 2>&1 ||
			{ tail -n 60 "$modules/build.log" >&2; exit 1; }
		cat "node/$2"/* >"$modules/installed"
	fi
	echo "$modules"
	;;
go)
	# Go's own cache knows what is built already.
	mkdir -p "$cache/go"
	(cd golang && GOWORK=off GOFLAGS= go build -o "$cache/go/$2" "./$2") >&2
	echo "$cache/go/$2"
	;;
*)
	echo "say python newest, python 2.0.2, python confluent, java, node kafkajs, node confluent, go sarama or go confluent" >&2
	exit 2
	;;
esac
