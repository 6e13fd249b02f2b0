module opendata.platform/toolchain/flux

go 1.27.3

require github.com/controlplaneio-fluxcd/flux-operator v0.59.0 // indirect
