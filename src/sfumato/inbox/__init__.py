"""Conversations that came over the network: sealed for the gateway by a process that can't open them."""
