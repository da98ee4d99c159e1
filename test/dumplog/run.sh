#!/bin/bash
# run.sh install: fetch Kafka's jars, once, and print the directory they are in.
# run.sh test: run the test with them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
libs=${LEAT_KAFKA_LIBS:-${XDG_CACHE_HOME:-$HOME/.cache}/leat/kafka-4.3.1}
install() {
  ls "$libs"/kafka_2.13-*.jar >/dev/null 2>&1 ||
    mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs" >&2
  echo "$libs"
}
case ${1:-test} in
install) install ;;
test) cd "$here" && LEAT_KAFKA_LIBS=$(install) LEAT_REQUIRE=1 go test -count=1 -timeout 175s . ;;
esac
