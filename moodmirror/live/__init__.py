"""The live connection over Socket.IO: inputs of a visitor, moods and recommendations for them."""
