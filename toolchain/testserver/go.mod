module opendata.platform/toolchain/testserver

go 1.26.0
