"""What is observed."""

from pyrep.const import RenderMode


class CameraConfig:
    def __init__(
        self,
        rgb=True,
        rgb_noise=None,
        depth=True,
        depth_noise=None,
        point_cloud=True,
        mask=True,
        image_size=(128, 128),
        render_mode=RenderMode.OPENGL3,
        masks_as_one_channel=True,
        depth_in_meters=False,
    ):
        self.rgb, self.depth, self.point_cloud, self.mask = rgb, depth, point_cloud, mask
        self.image_size, self.render_mode, self.depth_in_meters = image_size, render_mode, depth_in_meters


class ObservationConfig:
    def __init__(
        self,
        left_shoulder_camera=None,
        right_shoulder_camera=None,
        overhead_camera=None,
        wrist_camera=None,
        front_camera=None,
        joint_velocities=True,
        joint_velocities_noise=None,
        joint_positions=True,
        joint_positions_noise=None,
        joint_forces=True,
        joint_forces_noise=None,
        gripper_open=True,
        gripper_pose=True,
        gripper_matrix=False,
        gripper_joint_positions=False,
        gripper_touch_forces=False,
        wrist_camera_matrix=False,
        record_gripper_closing=False,
        task_low_dim_state=False,
    ):
        self.left_shoulder_camera = left_shoulder_camera or CameraConfig()
        self.right_shoulder_camera = right_shoulder_camera or CameraConfig()
        self.overhead_camera = overhead_camera or CameraConfig()
        self.wrist_camera = wrist_camera or CameraConfig()
        self.front_camera = front_camera or CameraConfig()
        self.joint_velocities, self.joint_positions, self.joint_forces = joint_velocities, joint_positions, joint_forces
        self.gripper_open, self.gripper_pose = gripper_open, gripper_pose
        self.gripper_joint_positions = gripper_joint_positions
        self.task_low_dim_state = task_low_dim_state
