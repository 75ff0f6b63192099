#!/usr/bin/env bash
# depfile.sh SOURCE BUILD COMPILER ARGS...   runs the compiler, and writes its list of headers with paths that Ninja reads
#
# Ninja ends a path in such a list at an apostrophe and a few other characters, finds no such file, and compiles again at
# every run. The build folder has a link to the sources, and paths from there go through it. CMakeLists.txt calls this
# where the path of the sources or of the build folder has such a character.
source_folder=${1// /\\ } build_folder=${2// /\\ }
shift 2
"$@" || exit

while (($#)) && [[ $1 != -MF ]]; do shift; done
[[ -n ${2-} && -f $2 ]] || exit 0
text=$(<"$2")
text=${text//"$build_folder/"/}
printf '%s\n' "${text//"$source_folder/"/source/}" >"$2"
