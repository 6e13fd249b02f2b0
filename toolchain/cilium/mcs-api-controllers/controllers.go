// Package controllers stands in for sigs.k8s.io/mcs-api/controllers, which the Go module proxy does not serve.
// Cilium uses this one constant of it.
package controllers

// DerivedServiceAnnotation is set on a ServiceImport to name the Service derived from it.
const DerivedServiceAnnotation = "multicluster.kubernetes.io/derived-service"
