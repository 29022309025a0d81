"""Losses of image-text pretraining as functions of tensors.

In each of them row `i` of the images and row `i` of the texts are a pair. Where several processes train together, each
gives its own rows; the embeddings of all processes are gathered, and every process computes the loss of the whole
batch. All losses are computed in float32 at least, whatever autocast says.
"""
