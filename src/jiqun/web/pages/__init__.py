"""Pages 页面: one module per subject, each with a `router` that `jiqun.web.rooms` lists."""
