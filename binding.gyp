{
  "targets": [
    {
      "target_name": "process_manager",
      "sources": ["<!@(node -p \"['.', 'binding', 'core', 'platform'].flatMap(d => require('fs').readdirSync('csrc/' + d).filter(f => /\\.cc?$/.test(f)).map(f => 'csrc/' + d + '/' + f)).join(' ')\")"],
      "include_dirs": ["csrc"],
      "dependencies": ["<!(node -p \"require('node-addon-api').targets\"):node_addon_api"],
      "defines": ["NAPI_VERSION=8", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags": ["-Wall", "-Wextra", "-fvisibility=hidden"],
      "cflags_c": ["-std=gnu11"],
      "cflags_cc": ["-fvisibility-inlines-hidden"]
    }
  ]
}
