"""What the models see: handwritten digits, and Biased MNIST made from them."""
