#pragma once

namespace nlrcnn::fuzz {

// What fits together in a call of an op.
//
// Inputs: shapes of products, a letter being the same size throughout; "?" behind an optional one, "-" for an
// absent one. Before it "b:" boxes, "i:" int32, "c:" a count, "g:" geometry, "u:" uint8 or uint16, else
// float32. "=" is the shape that `forward` gives for the others, "L3" three lists of tensors of like shapes.
// Settings: p1 a pair from 1 on, i1 an integer from 1 on, b a flag, n within 0 … 1, r any number, v4 four
// numbers, sA|B a name, =2 that number, @H,W sizes of the inputs.
struct Spec {
  const char *name, *inputs, *attrs, *forward = "";
};

#define NLRCNN_CONV "stride:p1 padding:p0 dilation:p1 relu:b"
#define NLRCNN_POOL "kernel:p1 stride:p1 padding:p0"
#define NLRCNN_ASKED " dx:b dweight:b dbias:b dresidual:b"
#define NLRCNN_BLOCK "K,D,H,W 2E,D,1,1 2E 2E,D,1,1 2E 2G,D,1,1 2G 2G,2G,3,3 2G 1,4EHW? "
#define NLRCNN_PAIRWISE \
  "pairwise:sembedded_gaussian|gaussian|dot_product|concatenation scale:snone|rsqrt num_heads:i1"

inline constexpr Spec kSpecs[] = {
    {"adamw", "3? i:1 L4", "lr:n beta1:n beta2:n eps:n weight_decay:n"},
    {"add", "A,B A,B", ""},
    {"add", "N,C,H,W N,C,H,W", ""},
    {"add_broadcast", "K,D,H,W K,D c:1?", ""},
    {"add_broadcast_backward", "K,D,H,W c:1?", ""},
    {"axpby", "L2", "alpha:r beta:r"},
    {"batch_norm", "N,C,H,W C C C? C? N,C,H,W?", "eps:n momentum:n relu:b"},
    {"batch_norm_backward", "N,C,H,W N,C,H,W N,C,H,W? C C C", "residual:b"},
    {"box_clip", "b:N,4", "image_size:p1"},
    {"box_decode", "b:N,4 N,4C", "weights:v4"},
    {"box_detections", "N,C N,4C b:N,4 c:1? g:8?",
     "image_size:p1 detections_per_img:i1 score_thresh:n nms_thresh:n min_size:n weights:v4"},
    {"box_rescale", "b:N,4 g:8?", "scale:v2"},
    {"concat", "A,H B,H C,H", ""},
    {"concat", "A,C,H,W B,C,H,W", ""},
    {"conv2d", "N,C,H,W O,C,K,L O? =? c:1?", NLRCNN_CONV, "conv2d"},
    {"conv2d", "N,2C,H,W 2O,C,K,L 2O? =? c:1?", NLRCNN_CONV " groups:=2", "conv2d"},
    {"conv2d", "N,C,H,W O,C,3,3 O? =? c:1?", "padding:@1,1 relu:b", "conv2d"},
    {"conv2d_backward", "= N,C,H,W O,C,K,L =? c:1?", NLRCNN_CONV NLRCNN_ASKED, "conv2d"},
    {"conv2d_backward", "= N,2C,H,W 2O,C,K,L =? c:1?", NLRCNN_CONV NLRCNN_ASKED " groups:=2", "conv2d"},
    {"conv2d_backward", "= N,C,3H,3W O,C,K,L - c:1?", "stride:p1 padding:p0 dx:b dweight:b dbias:b",
     "conv2d"},
    {"conv_transpose2d", "N,C,H,W C,O,2,2 O? c:1?", "relu:b"},
    {"conv_transpose2d_backward", "= N,C,H,W C,O,2,2 =? c:1?", "relu:b dx:b dweight:b dbias:b",
     "conv_transpose2d"},
    {"grad_norm", "1? i:1? L1", "factor:r max_norm:n growth_factor:r backoff_factor:n growth_interval:i1"},
    {"group_norm", "N,2C,H,W 2C 2C N,2C,H,W?", "groups:i1 eps:n relu:b"},
    {"group_norm_backward", "N,GC,H,W N,GC,H,W N,GC,H,W? GC N,G N,G", "groups:@G residual:b"},
    {"linear", "N,K O,K O? N,O? c:1?", "relu:b float32:b"},
    {"linear", "N,C,H,W O,CHW O? N,O? c:1?", "relu:b float32:b"},
    {"linear_backward", "= N,K O,K =? c:1?", "relu:b" NLRCNN_ASKED, "linear"},
    {"linear_backward", "= N,C,H,W O,CHW =? c:1?", "relu:b" NLRCNN_ASKED, "linear"},
    {"mask_loss", "K,C,H,W i:K K,H,W", "rois:i0"},
    {"mask_loss_backward", "K,H,W i:K 1", "classes:i1"},
    {"mask_probs", "D,C,H,W O,C,1,1 O i:D c:1?", ""},
    {"mask_rle", "D,M,M b:D,4 c:1? g:8?", "height:i1 width:i1 threshold:n"},
    {"mask_targets", "u:50B i:G,9 b:K,5", "size:i1"},
    {"match_boxes", "b:N,4 b:G,4 b:R,4?", "high:n low:n low_quality:b crowd_thresh:n"},
    {"max_pool2d", "N,C,H,W", NLRCNN_POOL},
    {"max_pool2d_backward", "= N,C,H,W", NLRCNN_POOL, "max_pool2d"},
    {"max_pool2d", "N,C,3H,3W", "kernel:p1 stride:p1 padding:@0,0"},
    {"max_pool2d_backward", "= N,C,3H,3W", "kernel:p1 stride:p1 padding:@0,0", "max_pool2d"},
    {"nms", "b:N,4 N i:N?", "threshold:n"},
    {"non_local_roi", NLRCNN_BLOCK "i:S?", NLRCNN_PAIRWISE},
    {"non_local_roi", NLRCNN_BLOCK "i:1", NLRCNN_PAIRWISE " rows_per_segment:@K"},
    {"non_local_roi_backward", "= " NLRCNN_BLOCK "i:S?", NLRCNN_PAIRWISE, "non_local_roi"},
    {"non_local_roi_backward", "= " NLRCNN_BLOCK "i:1", NLRCNN_PAIRWISE " rows_per_segment:@K",
     "non_local_roi"},
    {"paste_masks", "D,M,M b:D,4 c:1?", "height:i1 width:i1 threshold:n"},
    {"preprocess", "u:H,W,3 g:8?", "padded_size:p4 output_size:p1 mean:v3 std:v3"},
    {"preprocess", "H,W,1 g:8?", "padded_size:p4 output_size:p1 mean:v3 std:v3 percentiles:v2"},
    {"reorder", "N,C,H,W", ""},
    {"reshape", "A,B,C", "shape:@C,AB"},
    {"roi_align", "b:K,5 c:1? N,C,H,W N,C,P,Q",
     "output_size:p1 sampling_ratio:i0 spatial_scales:v2 aligned:b canonical_scale:n canonical_level:r"},
    {"roi_align", "b:K,4 c:1? N,C,H,W", "output_size:p1 sampling_ratio:i0 spatial_scales:v1 aligned:b"},
    {"roi_align_backward", "K,C,P,Q b:K,5 c:1?",
     "output_size:@P,Q level_sizes:@H,W,A,B images:@N sampling_ratio:i0 spatial_scales:v2 aligned:b"},
    {"rpn_loss", "N,A,H,W N,A,P,Q N,4A,H,W N,4A,P,Q i:S S S,4", "beta:n"},
    {"rpn_loss_backward", "S S,4 i:S 1? 1?", "images:@N anchors:@A level_sizes:@H,W,P,Q"},
    {"rpn_proposals", "N,A,H,W N,A,P,Q N,4A,H,W N,4A,P,Q g:N,8?",
     "image_size:p1 padded_size:p1 pre_nms_top_n:i1 post_nms_top_n:i1 nms_thresh:n score_thresh:n min_size:n "
     "cell_anchors:v8A"},
    {"scale", "A,B 1?", "factor:r"},
    {"scale", "N,C,H,W 1?", "factor:r"},
    {"scale_rows", "O,A,B O", ""},
    {"scale_rows_backward", "O,A,B O,A,B", ""},
    {"sgd", "3? L3", "lr:n momentum:n weight_decay:n nesterov:b"},
    {"sgd", "3? L2", "lr:n momentum:=0 weight_decay:n"},
    {"sigmoid_cross_entropy", "A,B A,B", "mean:b normalizer:r"},
    {"smooth_l1", "A,B A,B", "beta:n mean:b normalizer:r"},
    {"smooth_l1", "N,4C N,4 i:N", "beta:n mean:b normalizer:r"},
    {"softmax_cross_entropy", "N,C i:N", "mean:b normalizer:r"},
    {"split_channels", "O,C,A", "at:i0"},
    {"split_channels_backward", "O,A,B? O,C,B?", "channels:i0"},
    {"sum_places", "O,CP", "places:@P"},
    {"sum_places_backward", "O,C", "places:@P"},
    {"tap_bias", "K,D O,D,3,3 O? c:1?", "height:i1 width:i1"},
    {"tap_bias_backward", "K,O,H,W K,D O,D,3,3 c:1?", ""},
    {"topk", "N", "k:i0"},
    {"upsample_add", "N,C,H,W N,C,P,Q", ""},
    {"upsample_add_backward", "N,C,H,W", "size:p1"},
};

#undef NLRCNN_CONV
#undef NLRCNN_POOL
#undef NLRCNN_ASKED
#undef NLRCNN_BLOCK
#undef NLRCNN_PAIRWISE

}  // namespace nlrcnn::fuzz
