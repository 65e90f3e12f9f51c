#!/bin/sh
# Graphviz's dot without root, on Debian and Ubuntu: unpack its packages into a private folder.
#
#     sh tools/get_dot.sh [FOLDER]        FOLDER defaults to ~/.cache/graphlab/gv; dot is FOLDER/bin/dot
#
# SVG output needs neither cairo, pango nor X11, so the core and the dot layout plugins are enough.
set -eu
prefix=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/graphlab/gv}
packages="graphviz libgvc6 libcgraph6 libcdt5 libpathplan4 libxdot4 libltdl7 libexpat1"

rm -rf "$prefix/deb" "$prefix/plugins"
mkdir -p "$prefix/deb" "$prefix/bin" "$prefix/plugins"
cd "$prefix/deb"

if ! apt-get download -qq graphviz; then # a machine without package lists: fetch private ones
    mkdir -p "$prefix/lists/partial" "$prefix/archives/partial"
    set -- -o "Dir::State::lists=$prefix/lists" -o "Dir::Cache=$prefix" -o Debug::NoLocking=1
    apt-get "$@" update -qq
else
    set --
fi
for package in $packages; do
    apt-get "$@" download -qq "$package" || echo "no package $package; it may not be needed" >&2
done
for archive in *.deb; do dpkg -x "$archive" "$prefix"; done

libraries=$(dirname "$(find "$prefix/usr/lib" -name 'libgvc.so.6' | head -n 1)")
expat=$(dirname "$(find "$prefix" -name 'libexpat.so.1' | head -n 1)")
cp "$libraries"/graphviz/libgvplugin_core.so.6* "$libraries"/graphviz/libgvplugin_dot_layout.so.6* \
    "$prefix/plugins/"

cat >"$prefix/dot.new" <<SCRIPT
#!/bin/sh
LD_LIBRARY_PATH="$libraries:$expat\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" \\
GVBINDIR="$prefix/plugins" exec "$prefix/usr/bin/dot" "\$@"
SCRIPT
chmod +x "$prefix/dot.new"
"$prefix/dot.new" -c
echo 'digraph { a -> b }' | "$prefix/dot.new" -Tsvg | grep -q '</svg>'
mv "$prefix/dot.new" "$prefix/bin/dot" # only a dot that works gets its name
rm -rf "$prefix/deb" "$prefix/lists" "$prefix/archives"
echo "$prefix/bin/dot"
