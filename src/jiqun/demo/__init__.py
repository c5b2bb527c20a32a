"""The demonstration on real data 演示。"""
