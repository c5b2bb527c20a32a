"""Reading, recognising, checking and placing what comes in 数据接入."""
