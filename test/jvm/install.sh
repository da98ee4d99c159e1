#!/bin/sh
# Gets Kafka's jars and compiles java/, once for each state of these, into the user's
# cache, and prints the two folders: the classes and the jars. LEAT_JVM says where to.
set -eu
cd "$(dirname "$0")"
cache=${LEAT_JVM:-${XDG_CACHE_HOME:-$HOME/.cache}/leat/jvm}
mkdir -p "$cache"
jars=$cache/jars-$(cksum <pom.xml | tr ' ' -)
classes=$cache/classes-$(cat pom.xml java/* | cksum | tr ' ' -)

# Several packages' tests may come here at once; what is there is whole.
exec 9>"$cache/lock"
flock 9
if [ ! -d "$jars" ]; then
	rm -rf "$jars.part"
	mvn -q -B -f pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$jars.part" >&2
	mv "$jars.part" "$jars"
fi
if [ ! -d "$classes" ]; then
	rm -rf "$classes.part"
	mkdir "$classes.part"
	javac -Xlint:all,-processing,-path,-try -Werror -cp "$jars/*" -d "$classes.part" java/*.java >&2
	cp java/log4j2.properties "$classes.part"
	mv "$classes.part" "$classes"
fi
echo "$classes"
echo "$jars"
