"""What people are shown: records without what is nobody's business."""
