package main

func main() { _ = Peers }
