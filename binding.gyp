{
  "variables": {
    # How the keeper is linked: found out, or given as -Dkeeper_linkage=static
    # or =dynamic behind the "--" of node-gyp.
    "keeper_linkage%": "",
    # 1 for an addon that systems with an older glibc than this one can load.
    "older_glibc%": 0
  },
  "targets": [
    {
      "target_name": "process_manager",
      # All that lies in these directories, so that no file has to be named here.
      "sources": ["csrc/binding.cc", "<!@(node -p \"['binding', 'core', 'platform'].flatMap(d => require('fs').readdirSync('csrc/' + d, {recursive: true}).filter(f => /\\.cc?$/.test(f)).map(f => 'csrc/' + d + '/' + f)).join(' ')\")"],
      "include_dirs": ["csrc"],
      "dependencies": ["<!(node -p \"require('node-addon-api').targets\"):node_addon_api", "mcp-process-keeper"],
      "defines": ["NAPI_VERSION=8", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags": ["-Wall", "-Wextra", "-fvisibility=hidden"],
      "cflags_c": ["-std=gnu11"],
      "cflags_cc": ["-fvisibility-inlines-hidden"],
      "conditions": [
        # For dladdr, which glibc before 2.34 keeps apart.
        ["OS=='linux'", {"libraries": ["-ldl"]}],
        ["older_glibc==1", {"sources": ["csrc/prebuild/older_glibc.c"]}]
      ]
    },
    {
      # The program that each command runs under.
      "target_name": "mcp-process-keeper",
      "type": "executable",
      "variables": {"linkage": "<!(node scripts/keeper-linkage.js <(keeper_linkage))"},
      "sources": [
        "<!@(node -p \"require('fs').readdirSync('csrc/keeper').filter(f => /\\.c$/.test(f)).map(f => 'csrc/keeper/' + f).join(' ')\")",
        "csrc/platform/proc_stat.c",
        "csrc/platform/raw_directory_linux.c",
        "csrc/platform/raw_text.c",
        "csrc/platform/tree_linux.c"
      ],
      # What Node's settings want of an addon (-fPIC, -pthread, -rdynamic, -O3 or
      # -O0, sanitizers, link-time optimization) does not suit a program that may
      # have no libc: of theirs, only the choice of the processor (-m…) is kept.
      "cflags/": [["exclude", "^(?!-m)"]],
      "cflags_c": ["-std=gnu11", "-Wall", "-Wextra", "-Os", "-fno-pie", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"],
      "ldflags/": [["exclude", "^ *-(f|pthread|rdynamic)"]],
      "ldflags": ["-s"],
      "conditions": [
        ["linkage=='freestanding'", {
          "cflags_c": ["-ffreestanding"],
          "ldflags": ["-nostdlib", "-static", "-Wl,--build-id=none"]
        }, {
          "defines": ["PM_KEEPER_LIBC"]
        }],
        ["linkage=='static'", {"ldflags": ["-static"]}],
        ["linkage=='dynamic'", {"ldflags": ["-no-pie"]}]
      ]
    }
  ]
}
