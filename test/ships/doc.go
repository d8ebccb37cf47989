// Package ships tests what is published: the images, the chart and the guides.
// It starts them where they run, so it needs root.
package ships
